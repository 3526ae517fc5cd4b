"""Which words do people use who ask? Function words, synonyms, and a glossary of Chinese.

General words of this field, chosen without a question in hand: a group says what the words mean to
somebody who runs or calls a gateway, not where an answer stands.
"""

# Words that every text has. What, how and why tell what kind of answer is wanted, not which.
_STOP = """
    a about after again all also am an and any anything are as at be because been before being both
    but by can cannot could did do does doing don done each either else every few for from further
    get gets getting give given gives goes going got had has have having he her here hers him
    his how i if in into is isn it its itself just let lets ll m make makes me might mine more most
    much must my myself need needs neither no nor not now of off on once one ones only or other our
    ours out over own per please put quite rather re really s same say says shall she should so some
    somebody someone something still such t take takes tell than that the their theirs them then
    there these they thing things this those through to too under until up upon us ve very want
    wants was we were what whatever when where whether which while why will with
    within without won would yes yet you your yours happen happens mean means possible way work
    works arkway many hello hi thanks thank sorry anyone anybody everyone everybody currently today
"""
STOP = frozenset(_STOP.split())

# Words of asking: they say what kind of answer is wanted, and pages use them for other things.
_WEAK_WORDS = """
    able allow allowed answer available best certain change changes choose correct define describe
    difference different difficult during exact exactly example examples exist exists explain expect
    fast find force handle help immediately instead kind know like list look looks maximum minimum
    number often option options order pass problem program provide quick quickly recommended report
    require required right see show sort specific support supported tell there type understand
    detail details documentation docs guide info information step steps tutorial
    use used uses using usually valid value values various via
"""
WEAK = frozenset(_WEAK_WORDS.split())

# Each line is a group; any word of it may stand for any other.
SYNONYMS = (
    "throttle limit rate",
    "cap limit maximum",
    "max maximum largest most highest upper biggest",
    "min minimum smallest least",
    "quota budget limit",
    "spend spent cost price charge bill money",
    "cost price",
    "yuan rmb cny money currency",
    "encrypt seal",
    "disappear vanish lose lost",
    "broken broke break fail",
    "book ledger",
    "reset afresh again",
    "pay charge bill owe",
    "expire expiry expiration",
    "endpoint route path url",
    "url address base",
    "credential key secret password",
    "authenticate authentication authorization auth bearer",
    "sticky affinity session",
    "cache cached caching",
    "session conversation dialogue thread turn",
    "chat conversation completion",
    "fallback failover retry",
    "retry again attempt try",
    "complete whole entire finished",
    "identify id identifier",
    "output answer",
    "structured json format",
    "human people person",
    "status code",
    "provider upstream account backend vendor",
    "delete remove revoke",
    "deactivate disable",
    "ban deny block refuse",
    "whitelist allow allowlist",
    "ip network address cidr",
    "restart start reload",
    "shutdown stop terminate drain sigterm",
    "crash kill die death",
    "lost lose loss",
    "outage down unhealthy eject",
    "healthcheck health probe readiness ready liveness",
    "config configuration setting settings",
    "param parameter field option argument",
    "env environment variable",
    "db database sqlite store",
    "backup copy",
    "restore recover",
    "upgrade update migrate",
    "docker container",
    "kubernetes container",
    "https tls ssl certificate",
    "timeout clock deadline",
    "silence silent idle",
    "keepalive heartbeat ping",
    "sse stream event",
    "reply answer response completion",
    "request call",
    "prompt message input",
    "history conversation",
    "error failure refusal fail",
    "image picture vision",
    "function tool",
    "latency speed fast slow",
    "concurrent concurrency parallel simultaneous",
    "simultaneously concurrency once",
    "rpm requests minute",
    "tpm tokens minute",
    "log logging logs",
    "monitor metric health",
    "metric metrics prometheus",
    "rotate renew replace",
    "create add make",
    "install installation setup",
    "send sent",
    "context window",
    "javascript node js typescript",
    "golang go",
    "sdk library client",
    "usage used consumption",
    "verify check validate",
    "tamper edit flip",
    "bug internal",
    "team tenant customer organisation organization",
    "disconnect leave left abort",
    "worker process",
    "demo stand embedded local",
    "offline embedded local",
    "permitted allowed accept",
    "range rule",
    "wrong incorrect invalid bad",
    "weight share",
    "trace story explain",
    "license licence",
    "multiple several",
    "size bytes large",
    "big large largest",
)

# What Chinese callers and operators say, and the English words that the pages use.
CHINESE = {
    "密钥": "key",
    "秘钥": "key",
    "令牌": "key",
    "创建": "create",
    "新建": "create",
    "添加": "add",
    "增加": "add",
    "删除": "remove",
    "移除": "remove",
    "吊销": "revoke",
    "撤销": "revoke",
    "轮换": "rotate",
    "过期": "expire",
    "有效期": "expiry",
    "禁用": "disable",
    "启用": "enable",
    "预算": "budget",
    "余额": "budget left",
    "费用": "cost",
    "价格": "price",
    "价钱": "price",
    "计费": "billed",
    "收费": "charge",
    "账单": "bill",
    "配置": "configuration",
    "限流": "rate limit",
    "限速": "rate limit",
    "速率": "rate",
    "限制": "limit",
    "上限": "limit",
    "配额": "quota",
    "并发": "concurrency",
    "每分钟": "minute",
    "请求数": "requests",
    "请求": "request",
    "流式": "stream",
    "输出": "output",
    "输入": "input",
    "响应": "answer",
    "回复": "answer",
    "返回": "answer",
    "错误码": "error code",
    "错误": "error",
    "报错": "error",
    "重试": "retry",
    "超时": "timeout",
    "会话": "conversation",
    "对话": "conversation",
    "缓存": "cache",
    "命中": "hit",
    "提示词": "prompt",
    "消息": "message",
    "模型": "model",
    "列表": "list",
    "上下文": "context",
    "窗口": "window",
    "长度": "length",
    "最大": "maximum",
    "账号": "account",
    "账户": "account",
    "上游": "upstream",
    "租户": "tenant",
    "用量": "usage",
    "统计": "usage",
    "账本": "ledger",
    "备份": "backup",
    "恢复": "restore",
    "日志": "log",
    "健康检查": "health",
    "健康": "health",
    "端口": "port",
    "监听": "listen",
    "启动": "start",
    "停止": "stop",
    "重启": "restart",
    "升级": "upgrade",
    "部署": "production",
    "网关": "gateway",
    "参数": "parameter",
    "温度": "temperature",
    "范围": "range",
    "取值": "range",
    "网络": "network",
    "地址": "address",
    "证书": "certificate",
    "图片": "image",
    "工具调用": "tool calls",
    "断开": "disconnect",
    "中断": "interrupted",
    "磁盘满": "disk full",
    "磁盘": "disk",
}

_FILLERS = """
    如何 怎么 怎样 设置 什么 哪些 哪个 多少 是否 可以 能否 能不能 吗 呢 的 了 是 在 有 我 我们 你
    一个 为 给 把 会 和 与 或 这 那 请问 需要 应该 为什么 哪里 怎么办 时 时候 后 之后 到 被 用
    使用 不 没有 要 多 久 多久 多大 吧 里 中 个 查看 看 支持 怎么样 进行 想 让 对 从 上 下 最
    就 还 也 都
"""
CHINESE_FILLERS = frozenset(_FILLERS.split())
