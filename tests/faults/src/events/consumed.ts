/** A release of the consumers: it runs in one relay or several, beside the other. */
export type Release = 'old' | 'new'

export interface ConsumerPlan {
  readonly name: string
  /** By release: its types, or all. */
  readonly types: Readonly<Record<Release, readonly string[]>> | null
  /**
   * Where what it took is seen: a line of the ledger, or rows that were written in the transaction of its
   * inbox. Of the other two it is what a broker and a receiver of webhooks have got.
   */
  readonly by: 'ledger' | 'inbox' | 'nats' | 'webhooks'
  readonly ordered: boolean
  readonly batch: boolean
  readonly concurrency: number
}

/** Of each relay: as many as those with an inbox use at once. */
export const CONSUMER_TRANSACTIONS = 9

/** Who gets the events, in both releases: what the old one does not take has to reach the new one. */
export const CONSUMERS: readonly ConsumerPlan[] = [
  plan('plain', {}),
  plan('widened', {
    types: {
      old: ['order.created', 'order.paid'],
      // It covers the old list: where no release did, events would wait for the end of the deploy.
      new: ['order.created', 'order.paid', 'order.shipped', 'order.returned', 'order.noted'],
    },
  }),
  plan('inbox', { by: 'inbox', types: always('order.created') }),
  plan('batch', { by: 'inbox', batch: true }),
  plan('ordered', { ordered: true }),
  plan('ordered-inbox', { by: 'inbox', ordered: true, types: always('order.paid') }),
  // What is shipped may be larger than a broker takes.
  plan('nats', {
    by: 'nats',
    ordered: true,
    types: always('order.created', 'order.paid', 'order.returned', 'order.noted'),
  }),
  // It subscribes to all, and has customers for these.
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

/** Whether an event of this type has to reach it: one release that takes it is enough. */
export function isFor({ types }: ConsumerPlan, type: string): boolean {
  return types === null || types.old.includes(type) || types.new.includes(type)
}

/** The event that the inbox emits for one of this type; for others it emits none. */
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
