"""What `audit` says of each verdict: a headline, a sentence with its numbers, what to do, and the exit code."""

HEADLINES = {
    "right": "Right",
    "right-on-symmetric": "Right along symmetric directions alone",
    "wrong": "Wrong",
    "undefined": "There is no derivative",
}
SENTENCES = {
    "right": "The gradient that {title} returns is the derivative of the loss, entry by entry: it differs from "
    "differences by {error} of the largest entry.",
    "right, sign": "The gradient that {title} returns is the derivative of the loss, to {error} of the largest entry, "
    "as long as the eigensolver returns this sign of every vector: with other signs the value of the loss is another.",
    "right-on-symmetric": "Along symmetric directions the gradient that {title} returns is right, to {along} of "
    "the largest entry. Entry by entry it is off by {error}: it belongs to a function that reads other "
    "entries of the array.",
    "wrong": "The gradient that {title} returns is not the derivative of the loss: it is off by {error} of the largest "
    "entry, and by {along} along symmetric directions.",
    "wrong, not finite": "The gradient that {title} returns is not finite; the loss has one, which differences show.",
    "wrong, refused": "No gradient came back, and the loss has one, which differences show. {said}",
    "wrong, failed": "No gradient came back from {title}; differences of the loss show one, which may belong to a "
    "choice that its eigensolver made. {said}",
    "undefined, value": "The loss has no finite value at this matrix, so it has no derivative there.",
    "undefined, phase": "The value depends on the phase of a complex eigenvector, which no decomposition fixes. "
    "Whatever gradient comes back belongs to a choice that the eigensolver made.",
    "undefined, basis": "The value depends on the basis of the eigenvectors of equal eigenvalues{where}: with another "
    "basis, as good as the first, it is another.",
    "undefined, jump": "The value jumps beside the matrix{where}: a step of 1e-11 of its size changes it.",
    "undefined, kink": "The loss has a kink{where}: its derivatives ahead and behind differ.",
    "other phase": "value with other phases",
    "other basis": "value in another basis",
    "other jump": "value beside it",
}
REMEDIES = {
    "right": "",
    "right, sign": "Make the loss independent of the signs, through |v| or v v^T, if it is to be the same in other "
    "libraries and versions.",
    "right-on-symmetric": "It serves matrices that stay symmetric. eigengrad.eigh has the gradient, entry by entry, of "
    "what it reads (UPLO); eigengrad.convert goes from one convention to another.",
    "wrong": "Use eigengrad.eigh or eigengrad.eigvalsh; where they agree with differences the framework has a bug, and "
    "where they do not, another part of the loss.",
    "wrong, repeated": "At equal eigenvalues write a function of the matrix as one (eigengrad.funm, sqrtm, logm, "
    "trace_funm, spectral), and a space as eigengrad.projector; eigengrad.eigh is right, or says why it cannot be.",
    "undefined, value": "Look at what the loss makes of these eigenvalues.",
    "undefined, phase": "Make the loss independent of the phase, through |v_k| or v v^H.",
    "undefined, basis": "Let the loss see the whole cluster: eigengrad.projector, eigengrad.block_diagonalize, or a "
    "function of the matrix (eigengrad.funm).",
    "undefined, jump": "Let the loss see whole clusters of equal eigenvalues: eigengrad.projector, eigengrad.funm.",
    "undefined, kink": "eigengrad.directional_derivative has the one-sided derivatives, eigengrad.eigvalsh returns an "
    "element of the subdifferential; a symmetric function of the equal eigenvalues (eigengrad.trace_funm, "
    "eigengrad.spectral) has a gradient.",
}
TONES = {"right": "good", "right-on-symmetric": "good", "wrong": "bad", "undefined": "bad"}
#: 0 where the difference is a convention, 1 where the loss changes.
EXIT = {verdict: {"good": 0, "bad": 1}[tone] for verdict, tone in TONES.items()}
