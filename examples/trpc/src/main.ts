import { app } from './app.ts'
import { clientOf } from './client.ts'

const port = Number(process.env.PORT ?? 3000)
const server = app.listen(port, '127.0.0.1', async () => {
  const client = clientOf(`http://127.0.0.1:${port}`, 'ana')
  const context = { key: 'my-first-key' }
  console.log('placed:', await client.place.mutate({ item: 'violin' }, { context }))
  console.log('placed again:', await client.place.mutate({ item: 'violin' }, { context }))
  console.log('books:', await client.books.query())
  server.close()
})
