import { createApp } from './app.ts'
import { asyncapi } from './events.ts'

const { app } = await createApp()
app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
app.get('/asyncapi.json', { schema: { hide: true } }, () => asyncapi)
const url = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`${url} takes orders; ${url}/openapi.json and ${url}/asyncapi.json describe it.`)
