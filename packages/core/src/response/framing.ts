/**
 * Headers that frame one message on one connection (RFC 9110 section 7.6.1, RFC 9112 section 6).
 * Whatever sends a buffered response frames it anew. The handler's own framing headers, such as
 * those copied from an upstream, would put two framings into one message, which clients refuse.
 */
const FRAMING: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'te',
])

/** Whether a buffered response must be sent without this header, given in lower case. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name)
}

/** The same names as a list, for code that checks a Node response for each of them. */
export const framingHeaders: readonly string[] = [...FRAMING]

/**
 * Whether the value of a `Connection` header ends the connection after this response. Unlike the
 * other framing headers it is sent with a first answer, because servers that shut down set it on
 * the responses under way, and it is correct for every message.
 */
export function closesConnection(value: unknown): boolean {
  return [value].flat().some((line) => typeof line === 'string' && CLOSE.test(line))
}

const CLOSE = /(?:^|,)\s*close\s*(?:,|$)/i
