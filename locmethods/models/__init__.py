"""Local models: the trick applied to means, polynomials, classifiers and principal components."""
