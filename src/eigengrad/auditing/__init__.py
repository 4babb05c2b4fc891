"""Which function has this gradient, and is it right? Judged by numbers alone.

probe       numerical truth: differences with two step sizes
compare     the gradient of one eigenvalue, as each framework returns it, held against the truth
verdict     what follows from a comparison, in words and as an exit code
report      a comparison as text and JSON

explain     why two gradients differ: a report on the one of the causes that it is
causes      what the second would be if each were the cause; words, what is said of it
audit       whether a gradient is the derivative of its loss: a report; verdicts, what is said of each
referee     the loss asked for values alone: kinks, jumps, other bases; turning, an eigensolver that turns its vectors
scorecard   each framework's own functions, and ours, on traps: programs of a few lines (traps, prologues)

reporting   what a report is, as text and JSON; html (html_maps, html_spectrum, raster) and picture draw it
matrices    arrays from files; loading, a function of the user by its name
"""
