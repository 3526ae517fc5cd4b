// One file, sent to the server as it is chosen.
let made = 0;

export default {
  props: { label: String, url: String, csrf: String, accept: String, maxBytes: Number, sentText: String, tooLargeText: String, failedText: String },
  data: () => ({ id: `file-${++made}`, said: "" }),
  methods: {
    async send(event) {
      const file = event.target.files[0];
      if (!file) return;
      if (file.size > this.maxBytes) {
        this.said = this.tooLargeText;
        return;
      }
      try {
        const headers = { "content-type": "application/octet-stream", "x-csrf-token": this.csrf };
        const answer = await fetch(this.url, { method: "POST", headers, body: file });
        this.said = answer.ok ? this.sentText : `${this.failedText} (${answer.status})`;
      } catch {
        this.said = this.failedText;
      }
    },
  },
  template: `
    <div class="field">
      <label :for="id">{{ label }}</label>
      <input class="in" type="file" :id="id" :accept="accept" @change="send" />
      <span class="hint" role="status">{{ said }}</span>
    </div>`,
};
