"""What claims compare with: constants, transforms, densities, losses and weights by slow, plain routes."""
