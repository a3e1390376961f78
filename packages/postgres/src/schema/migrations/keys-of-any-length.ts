import { keyHash } from '../functions/expressions/key-hash.ts'
import { takeRuns2 } from '../functions/log/take-runs-2.ts'
import { advance2 } from '../superseded/log/advance-2.ts'
import { readEvents5 } from '../superseded/log/read-events-5.ts'
import { fileFailedSilently } from '../superseded/log/silent-file-failed-2.ts'
import { settle2 } from '../superseded/settling/settle-2.ts'

/**
 * Finds deliveries by a hash of their ordering key, so that a key may have any length. Also: rows
 * of transactions that were in progress and have been read are not looked at again with every page.
 */
export function keysOfAnyLength(schema: string): string[] {
  return [
    `create index deliveries_of_key on ${schema}.deliveries
      (consumer, slot, ${keyHash('ordering_key')}, seq) where state = 'retrying'`,
    `drop index ${schema}.deliveries_in_order`,
    // Restores ordering keys that earlier releases cut to fit the index, if the event is still in
    // the log.
    `update ${schema}.deliveries d set ordering_key = o.ordering_key
      from ${schema}.outbox o
      where d.state in ('retrying', 'dead') and d.ordering_key ~ '…[0-9a-f]{64}$'
        and o.seq = d.seq and o.id::text = d.event_id and o.ordering_key <> d.ordering_key`,
    fileFailedSilently(schema),
    advance2(schema),
    settle2(schema),
    takeRuns2(schema),
    readEvents5(schema),
  ]
}
