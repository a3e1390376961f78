import type { Subscription } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/**
 * Gives a consumer that is new its cursors, and says in which life of the server. Flushed, whatever
 * the server is set to: a crash that took a subscription would leave a relay that nobody knows.
 */
export function subscribe(
  schema: string,
): (subscription: Subscription) => Statement<{ life: string }> {
  const text = `
    select set_config('synchronous_commit', case current_setting('synchronous_commit')
          when 'off' then 'on' else current_setting('synchronous_commit') end, true),
        ${schema}.subscribe($1::text, $2::boolean)::text, ${schema}.name_life() as life`
  return ({ consumer, startAt }) => ({
    name: 'subscribe',
    text,
    values: [consumer, String(startAt === 'now')],
  })
}
