import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const workspace: string = fileURLToPath(new URL('../../..', import.meta.url))

export interface Site {
  /** The folder that was built. */
  readonly folder: string
  /** Where it is served, without a slash at the end. */
  readonly url: string
  stop(): Promise<void>
}

/** Builds the docs as `npx -y pnpm@12 site` does and serves them as a static host does. */
export async function startSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'oncekey-site-'))
  const vitepress = join(workspace, 'node_modules', 'vitepress', 'bin', 'vitepress.js')
  const build = [vitepress, 'build', 'docs', '--outDir', folder]
  await promisify(execFile)(process.execPath, build, { cwd: workspace })
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const path = pathname.endsWith('/') ? `${pathname}index` : pathname
    const file = extname(path) === '' ? `${path}.html` : path
    try {
      const bytes = await readFile(join(folder, file))
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
      response.end(bytes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`There is no ${file}.`)
    }
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    folder,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      await promisify(server.close.bind(server))()
      await rm(folder, { recursive: true })
    },
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}
