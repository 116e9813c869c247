"""How Σ K v is computed. `bound` says what is asked, and `blocked` answers it exactly, whatever the kernel.

Large sums of the named kernels go to `compiled` loops, where `near` leaves out the blocks of keys that do not matter;
batches and masks of exponentials to torch's attention (`fused`); derivatives to `gradient`; Dask's arrays to
`distributed`. Each gives what `blocked` gives.
"""
