// A text that is shown once, with a button that copies it.
export default {
  props: { text: String, copyLabel: String, copiedLabel: String },
  data: () => ({ isCopied: false }),
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.text);
      } catch {
        const range = document.createRange();
        range.selectNodeContents(this.$refs.text);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand("copy");
      }
      this.isCopied = true;
      setTimeout(() => (this.isCopied = false), 2000);
    },
  },
  template: `
    <div class="secret"><code ref="text" data-testid="secret">{{ text }}</code>
      <button type="button" class="btn small" @click="copy" aria-live="polite">{{ isCopied ? copiedLabel : copyLabel }}</button>
    </div>`,
};
