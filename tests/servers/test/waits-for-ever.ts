import { createServer } from 'node:net'

interface Ready {
  ready: true
  port: number
  args: string[]
  mark: string | undefined
}

const server = createServer().listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const ready: Ready = { ready: true, port, args: process.argv.slice(2), mark: process.env.MARK }
  console.log('{"ready":false}')
  console.log(JSON.stringify(ready))
  console.error('now waiting')
})
