import { serve } from '@hono/node-server'
import { GET, POST } from './app/orders/route.ts'

// In the place of Next.js, which calls `route.ts` by itself.
const server = serve({
  fetch: (request) => (request.method === 'POST' ? POST(request) : GET()),
  port: Number(process.env.PORT ?? 3000),
  hostname: '127.0.0.1',
})
server.on('listening', () => console.log('http://127.0.0.1:%d/orders', process.env.PORT ?? 3000))
