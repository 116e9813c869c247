"""How Σ K v is computed: `bound` says what is asked, `blocked` answers exactly, `distributed` where keys lie."""
