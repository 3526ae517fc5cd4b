// Asks the gateway what the test wants, and prints one JSON object about what an SDK user gets.
//
// Usage: ARKWAY_BASE_URL=… ARKWAY_API_KEY=… node client.mjs plain|stream|models PROMPT
import OpenAI from "openai";

const [mode, prompt] = process.argv.slice(2);
const client = new OpenAI({
  apiKey: process.env.ARKWAY_API_KEY,
  baseURL: process.env.ARKWAY_BASE_URL,
  maxRetries: 0,
});
const params = {
  model: "Doubao-1.5-pro-32k",
  messages: [{ role: "user", content: prompt }],
};
const report = { text: "", chunks: 0, finish: "", total_tokens: 0, status: 0, code: "", failure: "" };

const modes = {
  async plain() {
    const answer = await client.chat.completions.create(params);
    report.text = answer.choices[0].message.content;
    report.finish = answer.choices[0].finish_reason;
    report.total_tokens = answer.usage.total_tokens;
  },

  async stream() {
    const options = { stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create({ ...params, ...options })) {
      report.chunks += 1;
      report.total_tokens += chunk.usage?.total_tokens ?? 0;
      for (const choice of chunk.choices) {
        report.text += choice.delta.content ?? "";
        report.finish = choice.finish_reason ?? report.finish;
      }
    }
  },

  async models() {
    report.models = [];
    for await (const model of client.models.list()) report.models.push(model.id);
  },
};

try {
  await modes[mode]();
} catch (error) {
  report.failure = String(error);
  report.status = error.status ?? 0;
  report.code = error.code ?? "";
}
console.log(JSON.stringify(report));
