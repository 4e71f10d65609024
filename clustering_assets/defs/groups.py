"""The groups of assets, in the order in which one reads them: Dagster's UI sorts them by name."""


class Group:
    """Names of the groups; plain text, as Dagster sends no enumerations to its UI."""

    PICTURES = "1_pictures"
    EMBEDDINGS = "2_embeddings"
    CLUSTERS = "3_clusters"
    MUSIC = "4_music"
    VIDEOS = "5_videos"
    RESULTS = "6_results"
