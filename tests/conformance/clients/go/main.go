// Asks the gateway what the test wants, and prints one JSON object about what an SDK user gets.
//
// Usage: ARKWAY_BASE_URL=… ARKWAY_API_KEY=… client plain|stream|models PROMPT
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
)

const model = "Doubao-1.5-pro-32k"

type report struct {
	Text    string   `json:"text"`
	Chunks  int      `json:"chunks"`
	Finish  string   `json:"finish"`
	Total   int64    `json:"total_tokens"`
	Models  []string `json:"models,omitempty"`
	Status  int      `json:"status"`
	Code    string   `json:"code"`
	Failure string   `json:"failure"`
}

func (r *report) fail(err error) {
	if err == nil {
		return
	}
	r.Failure = err.Error()
	var refused *openai.Error
	if errors.As(err, &refused) {
		r.Status, r.Code = refused.StatusCode, refused.Code
	}
}

func (r *report) plain(ctx context.Context, client openai.Client, params openai.ChatCompletionNewParams) {
	answer, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		r.fail(err)
		return
	}
	r.Text = answer.Choices[0].Message.Content
	r.Finish = string(answer.Choices[0].FinishReason)
	r.Total = answer.Usage.TotalTokens
}

func (r *report) stream(ctx context.Context, client openai.Client, params openai.ChatCompletionNewParams) {
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	for stream.Next() {
		chunk := stream.Current()
		r.Chunks++
		r.Total += chunk.Usage.TotalTokens
		for _, choice := range chunk.Choices {
			r.Text += choice.Delta.Content
			if choice.FinishReason != "" {
				r.Finish = string(choice.FinishReason)
			}
		}
	}
	r.fail(stream.Err())
}

func (r *report) models(ctx context.Context, client openai.Client) {
	page, err := client.Models.List(ctx)
	if err != nil {
		r.fail(err)
		return
	}
	for _, listed := range page.Data {
		r.Models = append(r.Models, listed.ID)
	}
}

func main() {
	client := openai.NewClient(
		option.WithAPIKey(os.Getenv("ARKWAY_API_KEY")),
		option.WithBaseURL(os.Getenv("ARKWAY_BASE_URL")),
		option.WithMaxRetries(0),
	)
	params := openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(os.Args[2])},
	}
	result := &report{}
	switch ctx := context.Background(); os.Args[1] {
	case "plain":
		result.plain(ctx, client, params)
	case "stream":
		result.stream(ctx, client, params)
	case "models":
		result.models(ctx, client)
	}
	encoded, _ := json.Marshal(result)
	fmt.Println(string(encoded))
}
