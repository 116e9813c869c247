"""What the chapters' claims compare with: constants, spectra, asymptotics, losses and samples by slow, plain routes."""
