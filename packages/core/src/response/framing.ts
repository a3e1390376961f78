/**
 * Headers that frame one message on one connection (RFC 9110 section 7.6.1, RFC 9112 section 6). A
 * buffered response is framed anew by whatever sends it, so a handler's own, such as those it copied
 * from an upstream, would contradict that: two framings in one message, which clients refuse.
 */
const FRAMING: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'te',
])

/** Whether a buffered answer must go without this header, by its lower-case name. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name)
}

/** Those names, for who asks a response of Node whether it has one of them. */
export const framingHeaders: readonly string[] = [...FRAMING]
