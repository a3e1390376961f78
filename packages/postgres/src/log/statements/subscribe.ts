import type { Subscription } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Gives a consumer that is new its cursors. */
export function subscribe(schema: string): (subscription: Subscription) => Statement {
  const text = `select ${schema}.subscribe($1::text, $2::boolean)`
  return ({ consumer, startAt }) => ({
    name: 'subscribe',
    text,
    values: [consumer, String(startAt === 'now')],
  })
}
