import type { Statement } from '@oncekey/postgres/client'

/**
 * Makes runs due that are due later than whoever set the time could have meant: the database's clock
 * was put back since. Rows of the release before do not say how far ahead they were set.
 */
export function mendDueTimesStatement(schema: string): () => Statement<{ count: string }> {
  const text = `
    with mended as (
      update ${schema}.saga_work w set due_at = now(), due_in_ms = 0
        where isfinite(w.due_at) and w.move_epoch = w.epoch
          and w.due_at > clock_timestamp() + (w.due_in_ms + 5000) * interval '1 millisecond'
        returning 1
    )
    select count(*)::text as count from mended`

  return () => ({ name: 'saga_mend_due_times', text, values: [] })
}
