import { writeFileSync } from 'node:fs'
import { createApp } from './app.ts'
import { documents } from './documents.ts'

const { app } = await createApp()
for (const [file, text] of Object.entries(await documents(app))) {
  writeFileSync(new URL(`../${file}`, import.meta.url), text)
}
await app.close()
