"""Non-local means beside scikit-image's and OpenCV's."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

SIGMA = 0.1  # of the noise, where pictures go from 0 to 1


def noisy(name):
    """Return a function that gives one of scikit-image's photographs, 512 pixels square, with noise."""
    def data():
        from skimage import data, img_as_float

        photograph = img_as_float(getattr(data, name)())
        return photograph + SIGMA * np.random.default_rng(0).normal(size=photograph.shape)
    return data


def ours(**options):
    """Return a function that denoises with scikit-image's parameters."""
    def denoise(picture):
        from locmethods.nonlocal_means import nonlocal_means

        return nonlocal_means(picture, channel_axis=-1 if picture.ndim == 3 else None, **options)
    return denoise


def of_scikit_image(**options):
    """Return a function that denoises by scikit-image's."""
    def denoise(picture):
        from skimage.restoration import denoise_nl_means

        return denoise_nl_means(picture, channel_axis=-1 if picture.ndim == 3 else None, **options)
    return denoise


def of_opencv(h, patch_size, patch_distance):
    """Return a function that denoises by OpenCV's, which takes bytes."""
    def denoise(picture):
        import cv2

        grey = np.clip(np.rint(255 * picture), 0, 255).astype(np.uint8)
        return cv2.fastNlMeansDenoising(grey, None, 255 * h, patch_size, 2 * patch_distance + 1) / 255.0
    return denoise


def bilateral(picture):
    from locmethods.nonlocal_means import bilateral

    return bilateral(picture, sigma_color=0.2, sigma_spatial=3.0, win_size=19)


def bilateral_of_opencv(picture):
    import cv2

    return cv2.bilateralFilter(picture.astype(np.float32), 19, 0.2, 3.0)


def alike(error):
    """Return a judge of two denoised pictures: their root mean square difference, borders aside, is below `error`."""
    def same(left, right):
        return float(np.sqrt(np.mean((left - right)[16:-16, 16:-16] ** 2))) < error
    return same


WITH_NOISE = {"patch_size": 7, "patch_distance": 11, "h": 0.8 * SIGMA, "sigma": SIGMA}
# scikit-image rounds its exponential to a millionth. OpenCV rounds pictures and weights, takes no noise from distances
# and has squares of another size; its bilateral filter looks weights up in tables, in a disc. scikit-image's bilateral
# filter is no peer, for its table of the place is askew: a window of 19 has one of 20.
ROWS = {
    "nonlocal-means": Row("Non-local means, grey, 512 × 512, patches of 7, windows of 23, float64", noisy("camera"),
                          {"locmethods": ours(**WITH_NOISE),
                           "scikit-image, fast_mode": of_scikit_image(**WITH_NOISE)}, alike(1e-4)),
    "nonlocal-means-colour": Row("Non-local means, colour, 512 × 512, patches of 7, windows of 23, float64",
                                 noisy("astronaut"),
                                 {"locmethods": ours(**WITH_NOISE),
                                  "scikit-image, fast_mode": of_scikit_image(**WITH_NOISE)}, alike(1e-4)),
    "nonlocal-means-single": Row("Non-local means, grey, 512 × 512, patches of 7, windows of 23, without σ, float32",
                                 lambda: noisy("camera")().astype(np.float32),
                                 {"locmethods": ours(patch_size=7, patch_distance=11, h=SIGMA),
                                  "scikit-image, fast_mode": of_scikit_image(patch_size=7, patch_distance=11, h=SIGMA),
                                  "OpenCV, bytes": of_opencv(SIGMA, 7, 11)}, alike(0.05)),
    "bilateral": Row("Bilateral filter, grey, 512 × 512, windows of 19, float64", noisy("camera"),
                     {"locmethods": bilateral, "OpenCV, float32": bilateral_of_opencv}, alike(0.001)),
}
