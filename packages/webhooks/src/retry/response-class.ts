/**
 * What the status of an answer means. `transient` is retried. `permanent` will not get better by
 * itself and becomes a dead letter at once. `gone` does so too and disables the endpoint.
 */
export type ResponseClass = 'delivered' | 'transient' | 'permanent' | 'gone'

/** Decides by the status of an answer. An attempt without an answer is always transient. */
export type Classify = (status: number) => ResponseClass

/**
 * The default: retries what the receiver may recover from, and nothing that a person has to change.
 */
export function classifyByStatus(status: number): ResponseClass {
  if (status >= 200 && status < 300) return 'delivered'
  if (status === 410) return 'gone'
  if (status >= 500 || TRANSIENT.has(status)) return 'transient'
  return 'permanent'
}

/**
 * RFC 9110, 4918 and 6585: timeout, conflict, misdirected, locked, too early, too many. An
 * idempotent receiver answers a conflict while the first attempt is still running there.
 */
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 421, 423, 425, 429])

/**
 * Retries everything but a 410, as the Standard Webhooks specification and most senders do. It
 * covers a bad deploy or a wrong secret, which answers 401 or 404 for an hour.
 *
 * @example
 * ```ts
 * const hooks = webhooks({ client: pool, classify: standardWebhooks })
 * ```
 */
export function standardWebhooks(status: number): ResponseClass {
  if (status >= 200 && status < 300) return 'delivered'
  return status === 410 ? 'gone' : 'transient'
}
