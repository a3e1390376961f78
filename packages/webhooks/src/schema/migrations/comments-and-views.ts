import { commentsOn } from '@oncekey/postgres/client'
import { webhookComments } from '../webhook-comments.ts'

/** Adds comments to the tables and columns, and views that show people how endpoints are doing. */
export function webhookCommentsAndViews(schema: string): string[] {
  return [
    `create view ${schema}.webhook_endpoint_health as
      select e.id, e.customer, e.url, e.status, e.failing_since, e.failed_attempts,
          e.blocked_until, (
            select count(*) from (
              select from ${schema}.webhook_deliveries d
                where d.endpoint_id = e.id and d.state = 'pending' limit 10000
            ) p) as pending, (
            select min(d.due_at) from ${schema}.webhook_deliveries d
              where d.endpoint_id = e.id and d.state = 'pending') as next_due_at
        from ${schema}.webhook_endpoints e where e.status <> 'deleted'`,
    `create view ${schema}.webhook_dead_letters as
      select d.id, d.endpoint_id, e.url, m.type, m.subject, d.message_id as event_id, d.reason,
          d.error, d.attempts, d.redrives, d.died_at as dead_at
        from ${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        left join ${schema}.webhook_endpoints e on e.id = d.endpoint_id
        where d.state = 'dead'`,
    ...commentsOn(schema, webhookComments),
  ]
}
