import { startClock, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { test } from 'vitest'

// A bug: processes of a server with such a clock shared a semaphore, which a process that was ended
// in the middle of a `stat` kept. The postmaster then waited for it, and `stop` never resolved.
test('a server with a clock of its own stops while its processes look at files', async () => {
  for (let round = 0; round < 2; round += 1) {
    const clock = await startClock()
    const server = await startPostgres({ env: clock.env })
    const pool = new Pool({ connectionString: server.url, max: 8 })
    pool.on('error', () => {})
    const looks = `select count(*) from generate_series(1, 1000000) g
      cross join lateral (select pg_stat_file('postgresql.conf') where g > 0) f`
    const looking = Array.from({ length: 8 }, () => pool.query(looks).catch(() => {}))
    await new Promise((resolve) => setTimeout(resolve, 500))
    let isStopped = false
    const stopping = server.stop().then(() => {
      isStopped = true
    })
    await waitFor(() => isStopped, { what: 'the server to stop', timeoutMs: 20_000 })
    await stopping
    await Promise.all(looking)
    await pool.end()
    clock.remove()
  }
})
