import { afterHandler, returnedWrongly } from '../options/call-option.ts'
import { isFraming } from './framing.ts'
import { isNote } from './stored-notes.ts'

/**
 * Headers that belong to one exchange rather than to the response, or that would leak something.
 * They are never stored: a replay gets its own, or none.
 */
const NEVER_REPLAYED = new Set([
  // identity and session
  'set-cookie',
  'set-cookie2',
  'www-authenticate',
  'proxy-authenticate',
  'authentication-info',
  'proxy-authentication-info',
  // this connection
  'upgrade',
  // made anew for every message
  'date',
  'age',
  'strict-transport-security',
  // this request
  'x-request-id',
  'request-id',
  'x-correlation-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'traceparent',
  'tracestate',
  'x-trace-id',
  'server-timing',
  'x-response-time',
  'x-runtime',
  // counters of this moment
  'ratelimit',
  'ratelimit-policy',
])

const NEVER_REPLAYED_PREFIXES = ['access-control-', 'ratelimit-', 'x-ratelimit-', 'x-rate-limit-']

/**
 * Decides whether replays carry a header, given in lower case. `undefined` leaves it to the rules
 * above.
 */
export type ReplayHeader = (name: string) => boolean | undefined

/**
 * Whether a header that the handler set is stored and replayed. `name` is in lower case. Framing
 * headers never are, except the `Content-Length` of a HEAD response, which is a fact about the
 * resource.
 */
export function isReplayed(
  name: string,
  override: ReplayHeader | undefined,
  method?: string,
): boolean {
  if (name === 'content-length') return method === 'HEAD' && asked(override, name) !== false
  if (override === undefined) return isReplayedByRule(name)
  if (isFraming(name) || isNote(name)) return false
  return asked(override, name) ?? isReplayedByRule(name)
}

function isReplayedByRule(name: string): boolean {
  let verdict = VERDICTS.get(name)
  if (verdict === undefined) {
    verdict =
      !isFraming(name) &&
      !isNote(name) &&
      !NEVER_REPLAYED.has(name) &&
      !NEVER_REPLAYED_PREFIXES.some((prefix) => name.startsWith(prefix))
    if (VERDICTS.size < MOST_VERDICTS) VERDICTS.set(name, verdict)
  }
  return verdict
}

/** What the rules say of names that came before: an app sets the same few headers every time. */
const VERDICTS = new Map<string, boolean>()
const MOST_VERDICTS = 200

/** A promise is refused, because it would count as true and so replay a session's cookie. */
function asked(override: ReplayHeader | undefined, name: string): boolean | undefined {
  if (override === undefined) return undefined
  const returned: unknown = afterHandler('replayHeader', () => override(name))
  if (returned === undefined || typeof returned === 'boolean') return returned
  throw returnedWrongly('replayHeader', returned, 'true, false or undefined, at once')
}
