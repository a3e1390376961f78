import { serve } from '@hono/node-server'
import { app } from './app.ts'

// On Bun `app.listen(3000)` does it.
const port = Number(process.env.PORT ?? 3000)
serve({ fetch: app.handle, port, hostname: '127.0.0.1' }, () => {
  console.log(`http://127.0.0.1:${port} takes orders. Try it, twice:

  curl -i http://127.0.0.1:${port}/orders -H 'X-Account: ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' -d '{"item":"violin"}'`)
})
