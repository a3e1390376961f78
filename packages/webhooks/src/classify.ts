/**
 * What an answer's status means: `permanent` will not get better by itself and goes to the dead
 * letters at once; `gone` does so too and disables the endpoint.
 */
export type Verdict = 'delivered' | 'transient' | 'permanent' | 'gone'

/** Decides by the status of an answer; what got no answer is always transient. */
export type Classify = (status: number) => Verdict

/** Retries what the receiver may get over, and nothing that only somebody can change; the default. */
export function classifyByStatus(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered'
  if (status === 410) return 'gone'
  if (status >= 500 || TRANSIENT.has(status)) return 'transient'
  return 'permanent'
}

/**
 * RFC 9110, 4918 and 6585: timeout, conflict, misdirected, locked, too early, too many. A conflict is
 * what an idempotent receiver answers while the first attempt is still running there.
 */
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 421, 423, 425, 429])

/**
 * Retries everything but a 410, as the Standard Webhooks specification and most senders do: a bad
 * deploy or a wrong secret answers 401 or 404 for an hour.
 *
 * @example
 * ```ts
 * const hooks = webhooks({ client: pool, classify: standardWebhooks })
 * ```
 */
export function standardWebhooks(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered'
  return status === 410 ? 'gone' : 'transient'
}
