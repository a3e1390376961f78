import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MarkdownRenderer } from 'vitepress'

/**
 * Says below each command of a package's page that installs it that it is not on npm, for as long
 * as the changelog calls the first release unreleased. The files themselves are also the packages'
 * pages on npm, where it would be wrong.
 */
export function installsAreUnpublished(md: MarkdownRenderer, root: string): void {
  if (!/^## 0\.1\.0 \(unreleased\)$/m.test(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))) return
  md.core.ruler.push('unpublished', (state) => {
    // Without highlighting it is rendered for the index of the search.
    if (md.options.highlight === null || !/\/packages\//.test(state.env.path ?? '')) return
    state.tokens = state.tokens.flatMap((token) => {
      if (token.type !== 'fence' || !token.content.includes('npm install ')) return [token]
      const note = new state.Token('html_block', '', 0)
      note.content = '<p>The packages are not on npm before their first release.</p>\n'
      return [token, note]
    })
  })
}
