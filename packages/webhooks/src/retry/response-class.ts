/**
 * The meaning of an answer's status. `transient` is retried. `permanent` is not, because it will
 * not go away by itself: the delivery becomes a dead letter at once. `gone` does the same and
 * disables the endpoint.
 */
export type ResponseClass = 'delivered' | 'transient' | 'permanent' | 'gone'

/** Decides by the status of an answer. An attempt without an answer is always `transient`. */
export type Classify = (status: number) => ResponseClass

/**
 * The default: retries a status from which the receiver may recover by itself, and none for which a
 * person has to change something.
 */
export function classifyByStatus(status: number): ResponseClass {
  if (status >= 200 && status < 300) return 'delivered'
  if (status === 410) return 'gone'
  if (status >= 500 || TRANSIENT.has(status)) return 'transient'
  return 'permanent'
}

/**
 * Statuses of RFC 9110, 4918 and 6585: timeout, conflict, misdirected, locked, too early, too many.
 * An idempotent receiver answers with a conflict while the first attempt is still running there.
 */
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 421, 423, 425, 429])

/**
 * Retries everything but a 410, as the Standard Webhooks specification and most senders do. It
 * helps a receiver that answers 401 or 404 for an hour, after a bad deploy or with a wrong secret.
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
