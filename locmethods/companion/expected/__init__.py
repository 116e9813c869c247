"""What the chapters' claims compare with: constants, spectra, losses and samples by slow, plain routes."""
