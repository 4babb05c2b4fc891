"""What `explain` says of each cause: a headline, a sentence with its numbers, what to do, and the exit code."""

HEADLINES = {
    "equal": "Equal, to rounding",
    "convention": "Two conventions: {detail}",
    "antisymmetric-part": "Equal along every symmetric direction",
    "gauge": "The same eigenvectors, up to {detail}",
    "degenerate-basis": "A repeated eigenvalue leaves this open",
    "precision": "Equal, to the precision of one of them",
    "not-finite": "Not finite: {detail}",
    "bug": "A bug: {detail}",
    "unexplained": "Not explained",
}
SENTENCES = {
    "equal": "{one} and {two} differ by {residual} of the largest entry: rounding.",
    "convention": "{one} and {two} are the gradients of two functions that read other entries of the array, and agree "
    "on symmetric matrices ({detail}). After conversion {residual} of the largest entry is left. Along every symmetric "
    "direction the two give the same derivative.",
    "antisymmetric-part": "{one} and {two} have the same Hermitian part, to {residual} of the largest entry. What they "
    "differ by is antisymmetric, and no symmetric direction sees it; entry by entry at most one of them is right.",
    "gauge": "The columns are the same up to {detail}, which no decomposition fixes: {residual} is left.",
    "degenerate-basis": "{one} and {two} differ only where equal eigenvalues have a part in it, by no more than a "
    "change of basis in their eigenspace makes: {residual} is left. A loss that sees single vectors of it has no "
    "derivative here.",
    "inside": "{one} and {two} differ only inside the eigenspace of equal eigenvalues, and not by its basis alone; "
    "outside of it {residual} is left. Either the loss has a kink here, or one of the two leaves out what equal "
    "eigenvalues contribute, as a rule that masks their gap does: then it is wrong.",
    "vectors": "The columns span the same spaces, one for each eigenvalue, in different bases: {residual} is left. In "
    "the space of equal eigenvalues every orthonormal basis is right.",
    "precision": "{one} and {two} differ by {residual} of the largest entry: more than rounding of both, and what "
    "{detail} leaves.",
    "not-finite": "NaN or infinity is in {detail}. The finite entries differ by {residual} of the largest one.",
    "doubled": "The entries off the diagonal of one are twice those of the other, on both sides of it: G + G^T - diag "
    "G, which is the gradient of no function of the array. {residual} is left.{also}",
    "diagonal doubled": "The diagonal of one is twice that of the other: a triangle was doubled with its diagonal. "
    "{residual} is left.{also}",
    "gap sign": "In the eigenbasis of the matrix the entries off the diagonal have opposite signs: one of the two "
    "divides by w_i - w_j where it should by w_j - w_i. {residual} is left.{also}",
    "bug: factor": "One is the other times a constant, {detail}: {residual} is left. An upstream factor is missing, "
    "or is there twice. (The loss of a single entry of an eigenvector may change its sign with it.){also}",
    "unexplained": "No known cause makes {two} out of {one}: they differ by {residual} of the largest entry after the "
    "nearest one.",
}
REMEDIES = {
    "equal": "",
    "convention": "Convert one with eigengrad.convert, or let both read the same entries: UPLO in eigengrad.eigh. In "
    "gradient descent the two take different steps.",
    "antisymmetric-part": "Take the Hermitian part of both, (g + g^H)/2, if the matrix stays symmetric.",
    "gauge": "Let the loss see |v| or v v^H, or fix the sign or phase of every vector, before comparing.",
    "degenerate-basis": "Compare projectors V_c V_c^H, or functions of the matrix (eigengrad.projector, "
    "eigengrad.funm); eigengrad.directional_derivative has the one-sided derivatives. eigengrad audit "
    "tells whether the loss has a gradient.",
    "precision": "Compute both in double precision to see more; TensorFlow's XLA eigensolver is one that is not exact.",
    "not-finite": "Look at equal eigenvalues of the matrix (give it as the third array): most frameworks divide by "
    "their gap. eigengrad.eigh and eigengrad.funm return the derivative where there is one, and say where "
    "there is none.",
    "bug": "Hold both against differences of the loss: eigengrad audit, or eigengrad.testing.check_gradient.",
    "unexplained": "Hold both against differences of the loss: eigengrad audit. With the matrix as the third array "
    "more causes can be told.",
}
TONES = {
    "equal": "good",
    "convention": "good",
    "antisymmetric-part": "good",
    "gauge": "good",
    "precision": "good",
    "degenerate-basis": "bad",
    "not-finite": "bad",
    "bug": "bad",
    "unexplained": "open",
}
#: 0 agree, or differ by what no symmetric direction or no loss may see; 1 the loss changes; 3 not explained.
EXIT = {cause: {"good": 0, "bad": 1, "open": 3}[tone] for cause, tone in TONES.items()}
