"""Which function has this gradient, and is it right? Judged by numbers alone.

probe       numerical truth: differences with two step sizes
compare     the gradient of one eigenvalue, as each framework returns it, held against the truth
verdict     what follows from a comparison, in words and as an exit code
matrices    matrices from files
report      a comparison as text, JSON or a picture
"""
