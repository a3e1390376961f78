import { createApp } from './create-app.ts'

const app = await createApp()
const port = Number(process.env.PORT ?? 3000)
await app.listen(port, '127.0.0.1')
console.log(`http://127.0.0.1:${port} takes orders, and /openapi-json describes them. Try it, twice:

  curl -i http://127.0.0.1:${port}/orders -H 'X-Account: ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' -d '{"item":"violin"}'`)
