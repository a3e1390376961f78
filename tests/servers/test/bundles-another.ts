import { fileURLToPath } from 'node:url'
import { bundled } from '../src/bundled.ts'

const bundle = await bundled(fileURLToPath(new URL('./ends-early.ts', import.meta.url)))
console.log(JSON.stringify({ ready: true, bundle }))
setInterval(() => {}, 1_000)
