import { commentsOn } from '@oncekey/postgres/client'
import { sagaComments } from '../saga-comments.ts'

/** Adds comments to the tables and columns, and views that show people which runs are under way. */
export function sagaCommentsAndViews(schema: string): string[] {
  return [
    `create view ${schema}.saga_open_runs as
      select r.id, r.saga, r.version, r.state, r.stuck->>'step' as step,
          r.stuck->'error'->>'message' as error, r.started_at, r.stuck_at, w.owner, w.due_at
        from ${schema}.saga_runs r left join ${schema}.saga_work w on w.run_id = r.id
        where r.ended_at is null`,
    ...commentsOn(schema, sagaComments),
  ]
}
