import { OncekeyError, within } from '@oncekey/core'
import { isAnswer, isLocalhost, type ResolveName } from './resolve-name.ts'

/**
 * Tells faults of our own name servers from those of a customer's. A name that cannot be looked up
 * may have name servers that are away, which is its customer's fault. If a second host cannot be
 * looked up before any name was answered, ours are away, and until one answers: what fails then is
 * `name-servers-unavailable`. An answer is addresses, or that there are none.
 *
 * A lookup takes seconds to fail. If a name was answered since it began, it says nothing of our
 * servers.
 *
 * A lookup that has no result after `limitMs` has failed, too. Without that limit, servers that
 * are silent would be met as exchanges that took too long.
 */
export function watchedNames(resolve: ResolveName, limitMs: number): ResolveName {
  /** The first host that could not be looked up since a name was answered. */
  let firstFailed: string | undefined
  let areAway = false
  /** How many names were answered. */
  let answers = 0

  return async (hostname) => {
    // Nobody is asked for it, so it says nothing of those who are.
    if (isLocalhost(hostname)) return resolve(hostname)
    const answersBefore = answers
    const looking = async () => resolve(hostname)
    try {
      const addresses = await within(limitMs, looking(), () => late(hostname, limitMs))
      answered()
      return addresses
    } catch (error) {
      if (isAnswer(error)) answered()
      else if (isUnanswered(error) && answers === answersBefore) failed(hostname, error)
      throw error
    }
  }

  function answered(): void {
    answers += 1
    firstFailed = undefined
    areAway = false
  }

  /** Throws if the fault is that of our own name servers. */
  function failed(hostname: string, cause: unknown): void {
    firstFailed ??= hostname
    if (firstFailed !== hostname) areAway = true
    if (!areAway) return
    throw new OncekeyError(
      'name-servers-unavailable',
      `The name servers cannot be used: of "${hostname}" and of other names nothing could be found out (${String((cause as { code?: unknown }).code)}).`,
      { cause },
    )
  }
}

function late(hostname: string, limitMs: number): Error {
  const message = `"${hostname}" was not looked up within ${limitMs} ms.`
  return Object.assign(new Error(message), { code: 'ETIMEOUT' })
}

/**
 * Whether a lookup failed because no name server answered it. A resolver of the app's own may throw
 * other errors, for names that it refuses.
 */
function isUnanswered(error: unknown): boolean {
  return UNANSWERED.has(String((error as { code?: unknown } | null)?.code))
}

/** Codes of Node's resolver, and of `dns.lookup`. */
const UNANSWERED = new Set([
  'ESERVFAIL',
  'EREFUSED',
  'ENOTIMP',
  'EFORMERR',
  'EBADRESP',
  'ETIMEOUT',
  'ECONNREFUSED',
  'EAI_AGAIN',
])
