import type { DeadLetterFilter } from '@oncekey/core'
import type { RedriveKind } from '@oncekey/postgres/client'
import { deadLetterCondition, deadLetterConditionValues } from './dead-letter-filter.ts'
import { putBack } from './dead-letters.ts'

/** How a redrive on record takes dead deliveries. */
export function redriveOfDeliveries(schema: string): RedriveKind {
  return {
    source: 'webhooks',
    kind: 'dead-letters',
    table: `${schema}.webhook_deliveries d`,
    id: 'd.id',
    idType: 'bigint',
    lowestId: '0',
    at: 'd.died_at',
    // With ids, the primary key finds the deliveries; going through all dead letters would take
    // long.
    isCandidate: (filter) =>
      (filter as DeadLetterFilter).ids === undefined
        ? `d.state = 'dead'`
        : `d.state = 'dead'
            and d.id = any(array(select json_array_elements_text($1::json)::bigint))`,
    join: `left join ${schema}.webhook_messages m on m.id = d.message_id`,
    isMeant: deadLetterCondition,
    values: (filter) => deadLetterConditionValues(filter as DeadLetterFilter),
    // Whoever waits for the rows of several deliveries takes them in order of their ids.
    put: `due as materialized (
        select d.id from ${schema}.webhook_deliveries d join picked k on k.id = d.id
          where d.state = 'dead' and d.died_at = k.at
          order by d.id
          for update of d
      ), put_back as (
        ${putBack(schema)}
      ), put as materialized (
        select b.id, 'redriven' as outcome from put_back b
      )`,
  }
}
