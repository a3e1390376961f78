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
