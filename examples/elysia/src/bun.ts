import { app } from './app.ts'
import { usage } from './usage.ts'

const port = Number(process.env.PORT ?? 3000)
app.listen({ port, hostname: '127.0.0.1' }, () => console.log(usage(port)))
