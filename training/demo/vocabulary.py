"""The words and places of the demo shop, as data."""

# A motif makes a product family.
MOTIFS = (
    "RETROSPOT", "CHRISTMAS", "VINTAGE ROSE", "WOODLAND", "SKULL", "DOLLY GIRL", "SPACEBOY", "UNION JACK",
    "PAISLEY PARK", "STRAWBERRY", "CIRCUS PARADE", "REGENCY", "GINGHAM", "POLKADOT", "HEART", "ALPHABET",
    "DOILY", "APPLE BAKERY", "OWL", "BUTTERFLY", "DRAGONFLY", "SUNFLOWER", "LAVENDER", "HERB GARDEN",
    "SEASIDE", "NAUTICAL", "ANCHOR", "LIGHTHOUSE", "SAFARI", "ELEPHANT", "HEDGEHOG", "FOX", "ROBIN",
    "SNOWFLAKE", "REINDEER", "GINGERBREAD", "CANDY CANE", "STAR", "MOON", "RAINBOW", "BALLOON", "CUPCAKE",
    "TEA TIME", "COFFEE HOUSE", "KITCHEN", "BATHROOM", "PARISIENNE", "LONDON BUS", "ROCKET", "ROBOT",
    "DINOSAUR", "KNIGHT", "FAIRY", "PRINCESS", "BALLERINA", "COWBOY", "FARMYARD", "DUCK", "CHICKEN", "EASTER",
    "BUNNY", "DAISY", "POPPY", "CHERRY BLOSSOM", "BAMBOO", "ORIENTAL", "MOROCCAN", "INDIAN", "FELTCRAFT",
    "PATCHWORK", "CROCHET", "LACE", "ENAMEL", "ZINC", "WICKER", "DRIFTWOOD", "GLASS", "CERAMIC", "LEATHER",
    "TRAVEL",
)  # fmt: skip

ADJECTIVES = (
    "RED", "WHITE", "PINK", "BLUE", "GREEN", "IVORY", "BLACK", "SILVER", "GOLD", "CREAM", "NATURAL", "MINT",
    "ANTIQUE", "RETRO", "CLASSIC", "SMALL", "LARGE", "MINI", "JUMBO", "HANGING", "FOLDING", "ROUND",
)  # fmt: skip

NOUNS = (
    "MUG", "TEA TOWEL", "CAKE STAND", "CAKE TIN", "LUNCH BAG", "LUNCH BOX", "JUMBO BAG", "BUNTING", "T-LIGHT HOLDER",
    "LANTERN", "CANDLE", "PHOTO FRAME", "WALL CLOCK", "ALARM CLOCK", "DOORMAT", "DOORSTOP", "CUSHION COVER",
    "APRON", "OVEN GLOVE", "TRAY", "BOWL", "PLATE", "TEACUP AND SAUCER", "TEAPOT", "MILK JUG", "SUGAR BOWL",
    "EGG CUP", "COASTER", "PLACEMAT", "NAPKINS", "PAPER CUPS", "GIFT WRAP", "GIFT TAG", "RIBBON", "CARD", "NOTEBOOK",
    "PENCIL CASE", "STICKERS", "JIGSAW", "PLAYING CARDS", "SKIPPING ROPE", "MONEY BOX", "NIGHT LIGHT", "WREATH",
    "GARLAND", "DECORATION", "TRINKET BOX", "JEWELLERY STAND", "NECKLACE", "BRACELET", "HAND WARMER",
    "HOT WATER BOTTLE", "UMBRELLA", "SHOPPER BAG", "PURSE", "STORAGE JAR", "COOKIE CUTTERS", "RECIPE BOX",
    "WATERING CAN", "PLANTER",
)  # fmt: skip

# The first is the shop's home. Shares of customers as in the UCI Online Retail file, rounded.
COUNTRIES = {
    "United Kingdom": 0.9035, "Germany": 0.0217, "France": 0.0199, "EIRE": 0.0030, "Spain": 0.0066,
    "Belgium": 0.0055, "Switzerland": 0.0046, "Portugal": 0.0043, "Italy": 0.0034, "Finland": 0.0027,
    "Norway": 0.0023, "Netherlands": 0.0021, "Austria": 0.0021, "Australia": 0.0021, "Channel Islands": 0.0021,
    "Denmark": 0.0018, "Sweden": 0.0018, "Japan": 0.0018, "Cyprus": 0.0016, "Poland": 0.0014,
    "Unspecified": 0.0009, "USA": 0.0009, "Greece": 0.0009, "Israel": 0.0009, "Canada": 0.0009,
    "Hong Kong": 0.0005, "Singapore": 0.0004, "Iceland": 0.0003,
}  # fmt: skip
