"""How figures are drawn: here what any page may use, in the module of a page's stem what is that page's alone."""

from locmethods.companion.drawings.charts import MARKERS, bars, heatmap, images, lines, panels, regions, scatter

__all__ = ["MARKERS", "bars", "heatmap", "images", "lines", "panels", "regions", "scatter"]
