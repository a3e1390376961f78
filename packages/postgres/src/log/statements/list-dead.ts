import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { filterValues, isMeant } from './dead-letter-filter.ts'
import { type DeliveryRow, deliveryColumns } from './delivery-columns.ts'

/** Dead letters, the oldest first; `after` is the `dead_at_exact` and `id` of one. */
export function listDead(
  schema: string,
  filter: DeadLetterFilter,
  limit: number,
  after: readonly [deadAt: string, id: string] | undefined,
): Statement<DeliveryRow & { dead_at_exact: string }> {
  return {
    name: 'list_dead',
    text: `
      select ${deliveryColumns},
        (extract(epoch from d.dead_at) * 1000000)::bigint::text as dead_at_exact
      from ${schema}.deliveries d
      where ${isMeant}
        and ($10::bigint is null or (d.dead_at, d.id)
          > (timestamptz 'epoch' + $10::bigint * interval '1 microsecond', $11::bigint))
      order by d.dead_at, d.id
      limit $12::integer`,
    values: [...filterValues(filter), after?.[0] ?? null, after?.[1] ?? null, limit],
  }
}
