import { serve } from 'h3'
import { app } from './app.ts'

const port = Number(process.env.PORT ?? 3000)
const server = serve(app, { port, hostname: '127.0.0.1', silent: true })
await server.ready()
console.log(`http://127.0.0.1:${port} takes orders. Try it, twice:

  curl -i http://127.0.0.1:${port}/orders -H 'X-Account: ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' -d '{"item":"violin"}'`)
