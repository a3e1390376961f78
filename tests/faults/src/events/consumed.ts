/** A release of the consumers. Each runs in one relay or several, beside the other release. */
export type Release = 'old' | 'new'

export interface ConsumerPlan {
  readonly name: string
  /** The types of each release, or all. */
  readonly types: Readonly<Record<Release, readonly string[]>> | null
  /**
   * How its deliveries are recorded: as a line of the ledger, or as rows written in the transaction
   * of its inbox. For `nats` and `webhooks`, the broker or the receiver of the webhooks records
   * what it got.
   */
  readonly by: 'ledger' | 'inbox' | 'nats' | 'webhooks'
  readonly ordered: boolean
  readonly batch: boolean
  readonly concurrency: number
}

/** Transactions of each relay: as many as the consumers with an inbox use at once. */
export const CONSUMER_TRANSACTIONS = 9

/**
 * The consumers, with their types in both releases. Events that the old release does not take have
 * to reach the new one.
 */
export const CONSUMERS: readonly ConsumerPlan[] = [
  plan('plain', {}),
  plan('widened', {
    types: {
      old: ['order.created', 'order.paid'],
      // The new list covers the old one. Otherwise events would wait for the end of the deploy.
      new: ['order.created', 'order.paid', 'order.shipped', 'order.returned', 'order.noted'],
    },
  }),
  plan('inbox', { by: 'inbox', types: always('order.created') }),
  plan('batch', { by: 'inbox', batch: true }),
  plan('ordered', { ordered: true }),
  plan('ordered-inbox', { by: 'inbox', ordered: true, types: always('order.paid') }),
  // Shipped events may be larger than a broker accepts.
  plan('nats', {
    by: 'nats',
    ordered: true,
    types: always('order.created', 'order.paid', 'order.returned', 'order.noted'),
  }),
  // The consumer of webhooks subscribes to all types; endpoints exist only for these.
  plan('webhooks', { by: 'webhooks', types: always('order.returned') }),
]

/** Redis has neither transactions nor order. */
export function consumersOn(store: string): readonly ConsumerPlan[] {
  if (!store.startsWith('redis')) return CONSUMERS
  return CONSUMERS.flatMap((plan) => {
    if (plan.by === 'nats') return { ...plan, ordered: false }
    return plan.by === 'ledger' && !plan.ordered ? plan : []
  })
}

/** Whether an event of this type has to reach the consumer: one release that takes it is enough. */
export function isFor({ types }: ConsumerPlan, type: string): boolean {
  return types === null || types.old.includes(type) || types.new.includes(type)
}

/** The event that the inbox emits for an event of this type; for other types it emits none. */
export function followUp(type: string): string | undefined {
  return type === 'order.created' ? 'order.noted' : undefined
}

function always(...types: string[]): Record<Release, readonly string[]> {
  return { old: types, new: types }
}

function plan(
  name: string,
  { types = null, by = 'ledger', ordered = false, batch = false }: Partial<ConsumerPlan>,
): ConsumerPlan {
  const concurrency = by === 'inbox' ? CONSUMER_TRANSACTIONS / 3 : 30
  return { name, types, by, ordered, batch, concurrency }
}
