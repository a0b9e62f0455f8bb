"""The words of the embedded world, English and Chinese."""

NAMES = tuple(
    """Anna Ben Carla David Elena Frank Grace Henry Irene James Karen Leo Maria Nina
    Oscar Paula Quinn Rosa Sam Tina Umar Vera Walter Yara Zoe Adam Bella Carlos
    Diana Eric Fiona George Hannah Ivan Julia Kevin Laura Mark Nora Oliver Peter Ruth
    Sarah Thomas Victor Wendy Alan Betty Clara Daniel Emma Felix Gina Hugo Isaac Jane""".split()
)
ITEMS = tuple(
    """apples books cards coins marbles pencils stamps shells stickers buttons cookies flowers
    oranges photos plates puzzles ribbons stones toys balloons beads candles carrots chairs""".split()
)
SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗")
GIVEN = tuple("明红强丽军芳伟娟勇敏静磊洋艳杰涛超霞平刚玲辉鹏华飞梅波燕峰云")
ITEMS_ZH = (
    ("个", "苹果"),
    ("本", "书"),
    ("张", "卡片"),
    ("枚", "邮票"),
    ("支", "铅笔"),
    ("颗", "糖"),
    ("朵", "花"),
    ("个", "橘子"),
    ("块", "饼干"),
    ("只", "气球"),
    ("枚", "硬币"),
    ("颗", "珠子"),
    ("把", "钥匙"),
    ("个", "杯子"),
    ("张", "照片"),
    ("个", "鸡蛋"),
)
TOPICS = tuple(
    """algebra geometry fractions equations sequences limits matrices vectors integrals primes
    probability polynomials inequalities logarithms derivatives divisibility""".split()
)
TOPICS_ZH = tuple("代数 几何 分数 方程 数列 极限 矩阵 向量 积分 质数 概率".split())
#: Plain words for pages that are not about mathematics, by kind of page.
PLAIN = {
    "news": """council budget minister market storm harbour election strike river festival bridge police
    report mayor hospital railway museum harvest weather protest factory airport school tourism
    region season crowd witness official statement inquiry repair""".split(),
    "shop": """shirt kettle lamp sofa blanket shoes backpack jacket bottle mirror carpet headphones cotton
    leather steel wooden warranty delivery colour size discount basket checkout returns stock
    bundle gift review rating waterproof lightweight""".split(),
    "blog": """morning coffee travel village garden mountain train friend kitchen window winter summer walk
    letter story camera bicycle market island beach forest memory music painting family weekend
    holiday rain evening street""".split(),
    "recipe": """onion garlic butter flour sugar salt pepper oven pan bowl simmer chop stir bake tomato basil
    cheese chicken rice lentils ginger lemon cream dough roast slice serve teaspoon tablespoon
    minutes""".split(),
    "code": """function server install package config module request response thread socket buffer client
    parser token library version release branch commit error exception logging database query
    cache index plugin command option default""".split(),
    "spam": """casino bonus pills cheap replica loan credit winner prize click offer free miracle weight
    crypto invest instant guaranteed limited exclusive jackpot deal bargain promo""".split(),
    "sports": """match team coach striker goal season league fans stadium injury transfer penalty defender
    keeper midfield win draw defeat cup final referee""".split(),
}
PLAIN_ZH = {
    "news": """市政府 会议 记者 天气 道路 旅游 医院 学校
    市场 农民 经济 节日 工厂 河流 公园 居民 活动""".split(),
    "shop": """衬衫 水壶 沙发 毛毯 运动鞋 背包 夹克 优惠
    包邮 保修 退货 库存 颜色 尺码 礼物 评价""".split(),
    "blog": """早晨 咖啡 旅行 村庄 花园 山路 火车 朋友
    厨房 冬天 夏天 散步 故事 相机 海边 森林 回忆""".split(),
    "recipe": """洋葱 大蒜 黄油 面粉 白糖 盐 胡椒 烤箱
    番茄 鸡肉 米饭 生姜 柠檬 切片 搅拌 小火 分钟""".split(),
}
