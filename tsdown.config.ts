import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig } from 'tsdown'

// One build for every package: what a package exports in the workspace is what is built of it.
export default defineConfig(
  readdirSync('packages').map((folder) => {
    const { exports } = JSON.parse(readFileSync(`packages/${folder}/package.json`, 'utf8'))
    return {
      cwd: `packages/${folder}`,
      entry: Object.values<string>(exports).filter((path) => path.endsWith('.ts')),
      platform: 'node',
      target: 'node20.19',
      // The tsconfig asks for maps of declarations, which lead to sources that are not shipped.
      dts: { oxc: true, sourcemap: false },
      // Documentation is in the declarations; a copy in the JavaScript is a fifth of its size.
      outputOptions: { comments: { jsdoc: false } },
      fixedExtension: false,
    }
  }),
)
