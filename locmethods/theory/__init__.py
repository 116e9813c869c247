"""What the chapters check the theory with: constants, spectra, asymptotics, losses, samples and pictures."""
