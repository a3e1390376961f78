// Claims a key in lease mode and runs the given steps. It stops before them until SIGCONT.
import { postgresStore } from '@oncekey/postgres'
import { Pool } from 'pg'
import { attemptOf, claimOf, kept } from '../database/claims.ts'

const { DATABASE_URL, KEY, LEASE_MS, ORDER, STEPS = '' } = process.env
const say = (what: object) => console.log(JSON.stringify(what))
const pool = new Pool({ connectionString: DATABASE_URL, max: 4 })
pool.on('error', () => {})
const store = postgresStore({ client: pool, mode: 'lease' })
const claim = claimOf({ key: KEY ?? '', leaseMs: Number(LEASE_MS) })
const attempt = attemptOf(await store.begin(claim))

const steps: Record<string, () => Promise<unknown>> = {
  async write() {
    const tx = await attempt.transaction()
    await tx.query('insert into orders values ($1)', [ORDER])
  },
  // The process stops itself here, after the parent has read the line. The rest runs after SIGCONT.
  async stop() {
    say({ ready: true })
    process.kill(process.pid, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 100))
  },
  complete: () => attempt.complete(kept('by the child')),
}

for (const step of STEPS.split(' ').filter(Boolean)) {
  const outcome = await steps[step]?.().catch((error) => ({ code: error.code }))
  const shown = typeof outcome === 'string' ? outcome : (outcome as { code?: string })?.code
  if (step !== 'stop') say({ step, outcome: shown ?? 'done' })
}
say({ ready: true })
setInterval(() => {}, 1_000)
