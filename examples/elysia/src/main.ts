import { serve } from '@hono/node-server'
import { app } from './app.ts'
import { usage } from './usage.ts'

// On Node. `bun.ts` is the same on Bun, which needs no adaptor.
const port = Number(process.env.PORT ?? 3000)
serve({ fetch: app.handle, port, hostname: '127.0.0.1' }, () => console.log(usage(port)))
