import { Cron } from 'croner'
import { db, report } from './report.ts'

// Two schedulers of the same job, as in a deployment with two replicas.
const jobs = ['replica 1', 'replica 2'].map(
  (name) =>
    new Cron('*/2 * * * * *', async () => {
      // The nearest slot: a timer may fire a millisecond early, which `floor` would take for the
      // slot before, and this one would be skipped. A delay of up to half a slot is right too.
      const scheduledFor = new Date(Math.round(Date.now() / 2_000) * 2_000)
      const { value, replayed } = await report(scheduledFor, name)
      const at = scheduledFor.toISOString()
      console.log(
        `${name}: the report of ${at} ${replayed ? `was made by ${value.by}` : 'is made'}`,
      )
    }),
)

setTimeout(async () => {
  for (const job of jobs) job.stop()
  const { rows } = await db.query('select at, count(*)::int from reports group by at order by at')
  console.log('Reports:', rows)
}, 6_500)
